import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-acts-on-an-older-generation',
  () => import('../../acceptance/never-acts-on-an-older-generation.test.js'),
);
