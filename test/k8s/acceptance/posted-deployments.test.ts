import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'posted-deployments',
  () => import('../../acceptance/posted-deployments.test.js'),
);
