// `npm run kubernetes`: a control plane to try things on, until Ctrl-C.
import { once } from 'node:events';
import { programs } from './assets.js';
import { ControlPlane } from './control-plane.js';

const plane = await ControlPlane.start({ assets: await programs() });
process.stdout.write(`export KUBECONFIG=${plane.cluster.kubeconfigFile}\n`);
process.stdout.write(`alias kubectl=${plane.access.kubectl}\n`);
process.stderr.write(`The data, the logs and the audit log are in ${plane.folder}. Ctrl-C ends it.\n`);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await plane.stop();
