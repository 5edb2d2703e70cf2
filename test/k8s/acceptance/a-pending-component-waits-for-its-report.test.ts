import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'a-pending-component-waits-for-its-report',
  () => import('../../acceptance/a-pending-component-waits-for-its-report.test.js'),
);
