import { create } from '@bufbuild/protobuf';
import type { TlsCertificate } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { CommonTlsContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { readSource } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { LEFT, type SecretFiller, type SecretType } from './fill-secrets.ts';
import { decodeValidation } from './tls-validation.ts';

/** A secret as it came: it is put into the TLS contexts that name it before they are translated. */
export interface SecretModel {
  readonly name: string;
  readonly secret: Secret;
}

/** Secrets that are here. */
export type FindSecret = (name: string) => Secret | undefined;

export function decodeSecret(context: DecodeContext, secret: Secret): SecretModel {
  const { type } = secret;
  switch (type.case) {
    case 'tlsCertificate':
      checkCertificate(context, type.value);
      break;
    case 'validationContext':
      decodeValidation(
        {
          ...context,
          refuse: (path, message) => context.refuse(path.replace(/^\./, ''), message),
        },
        create(CommonTlsContextSchema, { validationContextType: type }),
        '',
      );
      break;
    case 'sessionTicketKeys':
      if (type.value.keys.length === 0) context.refuse('session_ticket_keys.keys', 'is empty');
      break;
    case undefined:
      context.refuse('', 'holds nothing: give tls_certificate, validation_context or session_ticket_keys');
      break;
    default: // reported by the field walk
  }
  return { name: secret.name, secret };
}

function checkCertificate(context: DecodeContext, { certificateChain, privateKey }: TlsCertificate): void {
  if (!certificateChain?.specifier.case) context.refuse('tls_certificate.certificate_chain', 'is missing');
  if (!privateKey?.specifier.case) context.refuse('tls_certificate.private_key', 'is missing');
}

/**
 * Notes what is to be discovered, and puts in what is here; for what is not, something that stands for it, so that everything
 * else of the resource can be judged at once.
 * @param find absent: nothing is here yet
 */
export function secretFiller(context: DecodeContext, find: FindSecret = () => undefined): SecretFiller {
  return {
    refuse: context.refuse,
    find({ name, sdsConfig }, path, type) {
      // Without sources there are the workload's own certificate and the mesh's roots, which the decoder knows.
      if (context.origin === undefined) return LEFT;
      if (name === '') {
        context.refuse(`${path}.name`, 'is missing');
        return undefined;
      }
      const here = find(name);
      if (sdsConfig === undefined) {
        if (!here)
          context.refuse(
            `${path}.name`,
            `names no secret of static_resources.secrets: ${JSON.stringify(name)}`,
          );
        return here;
      }
      const read = readSource(context, sdsConfig, `${path}.sds_config`);
      if (!read) return undefined;
      context.need({ kind: 'secret', name, ...read });
      return here ?? standIn(name, type);
    },
  };
}

function standIn(name: string, type: SecretType): Secret {
  const text = { specifier: { case: 'inlineString' as const, value: 'not here yet' } };
  switch (type) {
    case 'tlsCertificate':
      return create(SecretSchema, {
        name,
        type: { case: type, value: { certificateChain: text, privateKey: text } },
      });
    case 'validationContext':
      return create(SecretSchema, { name, type: { case: type, value: { trustedCa: text } } });
    case 'sessionTicketKeys':
      return create(SecretSchema, {
        name,
        type: {
          case: type,
          value: { keys: [{ specifier: { case: 'inlineBytes', value: new Uint8Array(80) } }] },
        },
      });
  }
}
