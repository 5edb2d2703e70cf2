import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes('refuses-garbage', () => import('../../acceptance/refuses-garbage.test.js'), {
  namesOtherNamespaces: true,
});
