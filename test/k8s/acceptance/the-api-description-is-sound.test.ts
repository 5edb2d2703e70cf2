import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'the-api-description-is-sound',
  () => import('../../acceptance/the-api-description-is-sound.test.js'),
);
