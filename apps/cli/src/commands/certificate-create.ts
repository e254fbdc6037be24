import { join, resolve } from 'node:path';
import { writeSelfSigned } from '@tulle/gateway';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT, usageError } from '../cli/exit-codes.ts';

const HOST = /^(?:\*\.)?[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$|^[0-9a-f:.]+$/;

export const command: Command = defineCommand({
  summary: 'Make a certificate that signs itself, to try HTTPS at a gateway',
  details:
    'Writes DIR/NAMESPACE/NAME/tls.crt and tls.key, where `tulle gateway --certificates DIR` finds them for\n' +
    'certificateRefs: [{ name: NAME }]. Callers trust it by its own file, e.g. curl --cacert. For the world get one from a CA.',
  args: [{ name: 'NAME', help: 'name by which certificateRefs mean it' }],
  options: {
    host: {
      type: 'list',
      value: 'HOST',
      help: 'host name or IP address that it is for; may be repeated; required',
    },
    certificates: {
      type: 'string',
      value: 'DIR',
      help: 'directory of certificates',
      env: 'TULLE_CERTIFICATES',
      required: true,
    },
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'namespace',
      defaultText: 'default',
      env: 'TULLE_NAMESPACE',
    },
    days: { type: 'number', value: 'N', help: 'how long it is valid', defaultText: '30' },
  },
  examples: [
    {
      command: 'tulle certificate create shop --host shop.example.com --certificates certificates/',
      does: 'certificates/default/shop',
    },
  ],
  async run({ io, options, args }) {
    const [name = ''] = args;
    const { namespace = 'default', days = 30, host } = options;
    for (const [what, text] of [
      ['NAME', name],
      ['--namespace', namespace],
    ] as const)
      if (!/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/.test(text) || text.includes('..'))
        throw usageError(
          `${what} ${JSON.stringify(text)} is no name`,
          'lower-case letters, digits, dashes and dots',
        );
    if (host.length === 0) throw usageError('--host is missing', 'the name by which callers know it');
    for (const one of host)
      if (!HOST.test(one))
        throw usageError(`--host ${JSON.stringify(one)} is no host name`, 'e.g. shop.example.com');
    if (!(days > 0 && days <= 825)) throw usageError(`--days ${days} is not between 1 and 825`);
    const directory = join(resolve(io.cwd, options.certificates), namespace, name);
    io.out(`${await writeSelfSigned(directory, { hosts: host, days })}\n`);
    return EXIT.ok;
  },
});
