import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes(
  'refuses-no-odd-declaration-silently',
  () => import('../../acceptance/refuses-no-odd-declaration-silently.test.js'),
);
