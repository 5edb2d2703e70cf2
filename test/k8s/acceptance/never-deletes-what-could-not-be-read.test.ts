import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'never-deletes-what-could-not-be-read',
  () => import('../../acceptance/never-deletes-what-could-not-be-read.test.js'),
);
