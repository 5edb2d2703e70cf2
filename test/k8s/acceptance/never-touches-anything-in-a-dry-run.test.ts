import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-touches-anything-in-a-dry-run',
  () => import('../../acceptance/never-touches-anything-in-a-dry-run.test.js'),
);
