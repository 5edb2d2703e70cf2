import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'speaks-symphony-clients',
  () => import('../../acceptance/speaks-symphony-clients.test.js'),
);
