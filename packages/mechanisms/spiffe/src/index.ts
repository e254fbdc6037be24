export {
  maxCertificateBytes,
  oid,
  readCertificate,
  type CertificateFacts,
  type NameConstraint,
} from './certificate.ts';
export { maxIntermediates, type PeerRole } from './chain.ts';
export { maxCsrBytes, readCsr, type CsrFacts } from './csr.ts';
export { DerError } from './der.ts';
export { identityFiles, type IdentityFiles, type IdentityFilesOptions } from './identity-files.ts';
export { identityHolder, type IdentityHolder } from './identity-holder.ts';
export { createKeyAndCsr, publicKeyPin, type KeyAndCsr } from './key-and-csr.ts';
export {
  createMeshTls,
  type Handshake,
  type InboundRequest,
  type MeshTls,
  type MeshTlsChange,
  type MeshTlsOptions,
  type OutboundRequest,
} from './mesh-tls.ts';
export { certificatesOfPem, derOfPem, toPem } from './pem.ts';
export {
  looksLikeTls,
  refusal,
  refusalHints,
  refusalOfError,
  refusalReasons,
  type Refusal,
  type RefusalReason,
} from './refusal.ts';
export {
  controlPlaneId,
  maxSpiffeIdBytes,
  maxTrustDomainBytes,
  parseSpiffeId,
  pathSegmentFault,
  spiffeIdFault,
  SpiffeIdError,
  spiffeIdMatches,
  trustDomainFault,
  workloadId,
  workloadOf,
  type SpiffeId,
  type WorkloadName,
} from './spiffe-id.ts';
export {
  createPeerVerifier,
  issuersOf,
  type PeerVerdict,
  type PeerVerifier,
  type PeerVerifierOptions,
  type PresentedCertificate,
  type VerifiedPeer,
} from './verifier.ts';
