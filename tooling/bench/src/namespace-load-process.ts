// One round of HTTP/1.1 from the network that this process was started in; prints what it came to.
import { http1Load } from './load/http1-load.ts';
import type { Http1Round } from './load/round.ts';

const result = await http1Load(JSON.parse(process.argv[2] ?? '{}') as Http1Round);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
