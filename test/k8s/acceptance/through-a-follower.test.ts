import { suiteInKubernetes } from '../../support/kubernetes-mode.js';

// Two engines for each file; the one that is spoken to does not lead.
await suiteInKubernetes(
  'through a follower',
  {
    'deploys-follows-and-removes': () => import('../../acceptance/deploys-follows-and-removes.test.js'),
    'deleting-leaves-no-orphan': () => import('../../acceptance/deleting-leaves-no-orphan.test.js'),
    'dependencies-hold': () => import('../../acceptance/dependencies-hold.test.js'),
    'never-deletes-what-could-not-be-read': () =>
      import('../../acceptance/never-deletes-what-could-not-be-read.test.js'),
    'never-empties-by-accident': () => import('../../acceptance/never-empties-by-accident.test.js'),
    'never-acts-on-an-older-generation': () =>
      import('../../acceptance/never-acts-on-an-older-generation.test.js'),
    'posted-deployments': () => import('../../acceptance/posted-deployments.test.js'),
    'suspended-objects-wait': () => import('../../acceptance/suspended-objects-wait.test.js'),
    'a-pending-component-waits-for-its-report': () =>
      import('../../acceptance/a-pending-component-waits-for-its-report.test.js'),
    'never-alters-a-value-on-its-way': () =>
      import('../../acceptance/never-alters-a-value-on-its-way.test.js'),
    'never-touches-anything-in-a-dry-run': () =>
      import('../../acceptance/never-touches-anything-in-a-dry-run.test.js'),
    'speaks-symphony-clients': () => import('../../acceptance/speaks-symphony-clients.test.js'),
  },
  { throughFollower: true },
);
