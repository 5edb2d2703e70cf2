import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'serves-many-clients',
  () => import('../../acceptance/serves-many-clients.test.js'),
);
