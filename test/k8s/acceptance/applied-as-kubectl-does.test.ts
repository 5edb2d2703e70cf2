import { suiteInKubernetes } from '../../support/kubernetes-mode.js';

// By the requests that kubectl makes, which are quicker than it.
await suiteInKubernetes(
  'applied as kubectl does',
  {
    'dependencies-hold': () => import('../../acceptance/dependencies-hold.test.js'),
    'never-deletes-what-could-not-be-read': () =>
      import('../../acceptance/never-deletes-what-could-not-be-read.test.js'),
    'never-empties-by-accident': () => import('../../acceptance/never-empties-by-accident.test.js'),
    'never-acts-on-an-older-generation': () =>
      import('../../acceptance/never-acts-on-an-older-generation.test.js'),
  },
  { kubectl: 'requests' },
);
