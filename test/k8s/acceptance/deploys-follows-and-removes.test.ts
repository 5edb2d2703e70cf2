import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'deploys-follows-and-removes',
  () => import('../../acceptance/deploys-follows-and-removes.test.js'),
);
