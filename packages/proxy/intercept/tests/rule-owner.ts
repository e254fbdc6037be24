/** Holds capture rules until it is killed: cgroup directory, table, rules as JSON, mount of cgroup v2. */
import { captureCommands, holdRulesFor, type CaptureRules } from '../src/index.ts';

const [cgroup = '', table = '', rules = '', cgroupMount = ''] = process.argv.slice(2);
await holdRulesFor(cgroup, table, captureCommands(table, JSON.parse(rules) as CaptureRules), { cgroupMount });
process.stdout.write('held\n');
setInterval(() => {}, 60_000);
