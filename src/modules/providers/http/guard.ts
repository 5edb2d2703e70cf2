import { lookup } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';

/** Not meant for users: addresses where clouds hand out credentials, and others of the own link. */
const REFUSED = new BlockList();
REFUSED.addSubnet('169.254.0.0', 16, 'ipv4');
REFUSED.addSubnet('fe80::', 10, 'ipv6');
// The same as the first, by the prefix of NAT64.
REFUSED.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
REFUSED.addAddress('fd00:ec2::254', 'ipv6');
REFUSED.addAddress('100.100.100.200', 'ipv4');
REFUSED.addAddress('192.0.0.192', 'ipv4');

const CONNECT_MS = 10_000;

/** An address that components may not reach. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';

  constructor() {
    super(
      'The address is link-local or serves the metadata of a cloud, which may hand out credentials. Where that is ' +
        "meant, set 'providers.http.allowLinkLocal' in the configuration of the engine.",
    );
  }
}

/** Also for addresses of version 4 in the clothes of version 6. */
function isRefused(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '').split('%')[0] ?? '';
  return isIP(bare) !== 0 && REFUSED.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
}

/**
 * Connections that are checked by the address they really go to, after names are resolved and for every redirect: a check
 * of the URL alone could be deceived by a name that points elsewhere a moment later.
 */
export function guardedAgent(allowLinkLocal: boolean): Agent {
  const common = { headersTimeout: 0, bodyTimeout: 0 };
  if (allowLinkLocal) return new Agent({ ...common, connect: { timeout: CONNECT_MS } });
  const connect = buildConnector({ timeout: CONNECT_MS, lookup: guardedLookup });
  return new Agent({
    ...common,
    connect(options, callback) {
      // A literal address is never looked up.
      if (isRefused(options.hostname)) callback(new AddressRefused(), null);
      else connect(options, callback);
    },
  });
}

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) callback(error, '', 0);
    else if (addresses.some(({ address }) => isRefused(address))) callback(new AddressRefused(), '', 0);
    else if (options.all) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  });
};
