import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-lets-one-target-hold-back-another',
  () => import('../../acceptance/never-lets-one-target-hold-back-another.test.js'),
);
