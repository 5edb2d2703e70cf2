import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'suspended-objects-wait',
  () => import('../../acceptance/suspended-objects-wait.test.js'),
);
