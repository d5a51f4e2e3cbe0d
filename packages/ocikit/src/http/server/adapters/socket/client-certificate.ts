// The certificate with which a client has logged in, as Node gives it.
import type { PeerCertificate, TLSSocket } from 'node:tls';

import type { ClientCertificate } from '../../shared/index.ts';

/** The client's certificate; undefined if it sent none, or none that the server's authorities vouch for. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | undefined {
  // True only if the server asks for certificates and has verified this one.
  if (!socket.authorized) return undefined;
  // Node gives an empty object where a resumed session has no certificate, which its types leave out.
  const found: Partial<PeerCertificate> = socket.getPeerCertificate();
  const { subject, subjectaltname, fingerprint256, valid_to: validTo } = found;
  if (subject === undefined || fingerprint256 === undefined || validTo === undefined) return undefined;
  return {
    subject: Object.fromEntries(
      Object.entries(subject).flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])),
    ),
    subjectAltNames: subjectaltname === undefined ? [] : namesIn(subjectaltname),
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
    expires: new Date(validTo),
  };
}

/** A name that could be taken for two is in quotes, as JSON writes it. */
const name = /([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/y;

/** Splits names as in `DNS:a.example, email:"x, DNS:b.example"`. Returns none if they cannot be read for certain. */
function namesIn(text: string): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at < text.length; at = name.lastIndex) {
    name.lastIndex = at;
    const [, kind, value = ''] = name.exec(text) ?? [];
    if (kind === undefined) return [];
    found.push(`${kind}:${value.startsWith('"') ? String(JSON.parse(value)) : value}`);
  }
  return found;
}
