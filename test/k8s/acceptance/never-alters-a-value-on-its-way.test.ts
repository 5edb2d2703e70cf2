import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-alters-a-value-on-its-way',
  () => import('../../acceptance/never-alters-a-value-on-its-way.test.js'),
);
