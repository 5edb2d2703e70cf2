import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'deleting-leaves-no-orphan',
  () => import('../../acceptance/deleting-leaves-no-orphan.test.js'),
);
