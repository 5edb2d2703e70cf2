import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'a-removal-that-takes-too-long-says-so',
  () => import('../../acceptance/a-removal-that-takes-too-long-says-so.test.js'),
);
