import { suiteInKubernetes } from '../../support/kubernetes-mode.js';

// People apply, REST reads and orders. The real program costs a tenth of a second for each write.
await suiteInKubernetes(
  'applied by kubectl',
  {
    'deploys-follows-and-removes': () => import('../../acceptance/deploys-follows-and-removes.test.js'),
    'deleting-leaves-no-orphan': () => import('../../acceptance/deleting-leaves-no-orphan.test.js'),
  },
  { kubectl: 'program' },
);
