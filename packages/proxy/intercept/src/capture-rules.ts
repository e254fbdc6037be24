import { isIPv6 } from 'node:net';

/** Whose connections are captured. */
export type CaptureScope =
  /** Everything in the network namespace that the rules are made in. */
  | { readonly kind: 'namespace' }
  /** Processes of a cgroup v2 and of those below it. `path` as in `/proc/PID/cgroup`: `/tulle-web`. */
  | { readonly kind: 'cgroup'; readonly path: string }
  /** Processes of these users. */
  | { readonly kind: 'users'; readonly ids: readonly number[] };

/** Whose own connections are never led anywhere: the proxy's, or they would come back to it. */
export interface CaptureSparing {
  /** Of sockets with one of these marks (`SO_MARK`). */
  readonly marks?: readonly number[];
  /** Of processes in these cgroups, and below; see {@link CaptureScope}. */
  readonly cgroups?: readonly string[];
  readonly users?: readonly number[];
}

/** What the workload begins. */
export interface OutboundCapture {
  /** Of the proxy, which must listen there at 127.0.0.1. */
  readonly port: number;
  /** The same for IPv6, at ::1. Absent: the machine has no IPv6, and none of it is captured. */
  readonly port6?: number;
  /** Networks that are left alone, CIDR or addresses. Default none. */
  readonly excludeCidrs?: readonly string[];
  /** Ports that are left alone. Default none. */
  readonly excludePorts?: readonly number[];
}

/** What others begin. */
export interface InboundCapture {
  /** Of the workload. */
  readonly port: number;
  /** Of the proxy, which must listen at every address of the machine at which it is to be reached. */
  readonly to: number;
}

/** What others begin from elsewhere, at ports that no {@link InboundCapture} names: everywhere, or where the scope's processes listen. */
export interface InboundRest {
  /** Of the proxy, as in {@link InboundCapture}. */
  readonly to: number;
  /** Ports that are left alone. Default none. */
  readonly excludePorts?: readonly number[];
}

/** What is captured, and where it is led. */
export interface CaptureRules {
  readonly scope: CaptureScope;
  readonly spare: CaptureSparing;
  /** Absent: what the workload begins is left alone. */
  readonly outbound?: OutboundCapture;
  readonly inbound?: readonly InboundCapture[];
  /**
   * Absent: left alone. Ports at which processes in the spared cgroups listen, or sockets with the spared marks, are the
   * proxy's own. Not for the scope `users`: the kernel does not tell whose a listening socket is.
   */
  readonly inboundRest?: InboundRest;
  /** Port of a DNS responder at 127.0.0.1 and ::1 that gets what the workload asks of port 53, by UDP and TCP. */
  readonly dnsPort?: number;
}

/** Hook priorities (nft(8), NAT): what a workload begins is its own affair first, and only then another's inbound. */
const OUTBOUND_PRIORITY = -100;
const INBOUND_PRIORITY = -99;
/** Only what begins a connection: one that is under way when the rules come would be torn off by them. */
const BEGINS = 'tcp flags & (fin|syn|rst|ack) == syn';

/**
 * The rules as commands of nft(8), one line, so that they come into force together or not at all. The table belongs to the
 * process that makes it (`flags owner`): the kernel removes it with that process.
 * @param table its name, unique in the network namespace
 * @param lasting the table belongs to nobody, and has this comment, without quotes, for whoever lists it
 */
export function captureCommands(table: string, rules: CaptureRules, lasting?: string): string {
  const { scope, spare, outbound, inbound = [], inboundRest, dnsPort } = rules;
  const owned = lasting === undefined ? 'flags owner' : `comment "${lasting}"`;
  const commands = [`create table inet ${table} { ${owned}; }`];
  const chain = (name: string, hook: 'output' | 'prerouting', priority: number): ((rule: string) => void) => {
    commands.push(`add chain inet ${table} ${name} { type nat hook ${hook} priority ${priority}; }`);
    return (rule) => void commands.push(`add rule inet ${table} ${name} ${rule}`);
  };
  if (outbound !== undefined || dnsPort !== undefined) {
    commands.push(`add chain inet ${table} captured`);
    const lead = (rule: string): void => void commands.push(`add rule inet ${table} captured ${rule}`);
    if (dnsPort !== undefined)
      for (const protocol of ['udp', 'tcp']) lead(`${protocol} dport 53 redirect to :${dnsPort}`);
    if (outbound !== undefined) {
      for (const rule of excluding(outbound)) lead(rule);
      lead(`meta nfproto ipv4 ${BEGINS} redirect to :${outbound.port}`);
      if (outbound.port6 !== undefined) lead(`meta nfproto ipv6 ${BEGINS} redirect to :${outbound.port6}`);
    }
    const add = chain('outbound', 'output', OUTBOUND_PRIORITY);
    for (const rule of sparing(spare)) add(rule);
    add(`${within(scope)}jump captured`);
  }
  const chains: ((rule: string) => void)[] = [];
  if (inbound.length > 0) {
    const here = chain('inbound_here', 'output', INBOUND_PRIORITY);
    for (const rule of sparing(spare)) here(rule);
    chains.push(here);
  }
  if (inbound.length > 0 || inboundRest !== undefined) {
    const afar = chain('inbound', 'prerouting', INBOUND_PRIORITY);
    chains.push(afar);
    for (const { port, to } of inbound)
      for (const add of chains) add(`fib daddr type local tcp dport ${port} ${BEGINS} redirect to :${to}`);
    for (const rule of inboundRest === undefined ? [] : atOtherPorts(inboundRest, scope, spare)) afar(rule);
  }
  return commands.join('; ');
}

/** Of what comes in, the kernel knows the socket that listens for it, and of that the cgroup and the mark. */
function atOtherPorts(
  { to, excludePorts = [] }: InboundRest,
  scope: CaptureScope,
  { marks = [], cgroups = [] }: CaptureSparing,
): string[] {
  if (scope.kind === 'users')
    throw new Error('the kernel does not tell at which ports a user listens: name them in inbound');
  return [
    ...marks.map((mark) => `socket mark ${mark} return`),
    ...cgroups.map((path) => `${inCgroup(path)} return`),
    ...(excludePorts.length === 0 ? [] : [`tcp dport { ${excludePorts.join(', ')} } return`]),
    `fib daddr type local ${within(scope)}${BEGINS} redirect to :${to}`,
  ];
}

function sparing({ marks = [], cgroups = [], users = [] }: CaptureSparing): string[] {
  return [
    ...marks.map((mark) => `meta mark ${mark} return`),
    ...cgroups.map((path) => `${inCgroup(path)} return`),
    ...users.map((id) => `meta skuid ${id} return`),
  ];
}

/**
 * Begins the rule for what is in the scope. Never the other way round: where a process is in a cgroup of a higher level
 * than the rule's, the kernel has nothing to compare, and neither `==` nor `!=` holds.
 */
function within(scope: CaptureScope): string {
  switch (scope.kind) {
    case 'namespace':
      return '';
    case 'cgroup':
      return `${inCgroup(scope.path)} `;
    case 'users':
      return `meta skuid { ${scope.ids.join(', ')} } `;
  }
}

function excluding({ excludeCidrs = [], excludePorts = [] }: OutboundCapture): string[] {
  const six = excludeCidrs.filter((cidr) => isIPv6(cidr.split('/')[0] ?? ''));
  const four = excludeCidrs.filter((cidr) => !six.includes(cidr));
  return [
    ...(four.length === 0 ? [] : [`ip daddr { ${four.join(', ')} } return`]),
    ...(six.length === 0 ? [] : [`ip6 daddr { ${six.join(', ')} } return`]),
    ...(excludePorts.length === 0 ? [] : [`tcp dport { ${excludePorts.join(', ')} } return`]),
  ];
}

/** nft finds the cgroup below /sys/fs/cgroup when the rule is made; the kernel keeps its id, and compares it at that level. */
function inCgroup(path: string): string {
  const name = path.replace(/^\/+|\/+$/g, '');
  if (!/^[\w.@:+-]+(?:\/[\w.@:+-]+)*$/.test(name))
    throw new Error(`${JSON.stringify(path)} is no cgroup that rules can name`);
  return `socket cgroupv2 level ${name.split('/').length} "${name}"`;
}
