import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-overlaps-two-runs-of-one-object',
  () => import('../../acceptance/never-overlaps-two-runs-of-one-object.test.js'),
);
