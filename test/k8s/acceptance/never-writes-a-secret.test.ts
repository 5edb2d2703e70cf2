import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-writes-a-secret',
  () => import('../../acceptance/never-writes-a-secret.test.js'),
);
