import { acceptanceInKubernetes } from '../../support/kubernetes-mode.js';

await acceptanceInKubernetes('survives-kill-9', () => import('../../acceptance/survives-kill-9.test.js'));
