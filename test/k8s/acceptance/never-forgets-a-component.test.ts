import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-forgets-a-component',
  () => import('../../acceptance/never-forgets-a-component.test.js'),
);
