// One elector as a process of its own: `elector-process.ts <kubeconfig> <namespace> <identity> <timing as JSON>`. It prints
// a line of JSON for each term that begins or ends, and the last moment at which it would have acted as the leader. Times
// are of the monotonic clock, which the processes of one machine share.
import { ApiClient, openAccess } from '../../../src/modes/k8s/client/index.js';
import { Elector, type LeaseTiming } from '../../../src/modes/k8s/leadership/index.js';

const [kubeconfig = '', namespace = '', identity = '', timing = '{}'] = process.argv.slice(2);
const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const client = new ApiClient({ access: await openAccess({ kubeconfig }) });
const elector = new Elector({
  client,
  namespace,
  name: 'symphony-engine',
  identity,
  timing: JSON.parse(timing) as Partial<LeaseTiming>,
  log: { info: () => undefined, warn: () => undefined },
});
elector.onChange((term) =>
  tell(term ? { what: 'leads', epoch: term.epoch, at: now() } : { what: 'ended', at: now() }),
);

let told = 0;
setInterval(() => {
  // The clock is read first: what it says was surely before the answer.
  const at = now();
  const { epoch } = elector;
  if (epoch === undefined || at - told < 50) return;
  told = at;
  tell({ what: 'acts', epoch, at });
}, 5);

process.once('SIGTERM', () => {
  void elector
    .stop()
    .then(() => client.close())
    .then(() => process.exit(0));
});
elector.start();
tell({ what: 'started', at: now() });
