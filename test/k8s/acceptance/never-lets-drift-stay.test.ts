import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-lets-drift-stay',
  () => import('../../acceptance/never-lets-drift-stay.test.js'),
);
