import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'changes-that-keep-coming-do-not-hide-a-silent-target',
  () => import('../../acceptance/changes-that-keep-coming-do-not-hide-a-silent-target.test.js'),
);
