import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes('dependencies-hold', () => import('../../acceptance/dependencies-hold.test.js'));
