import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-empties-by-accident',
  () => import('../../acceptance/never-empties-by-accident.test.js'),
);
