// TLS certificates for tests.
/** A certificate for tests, of a server or of a client. */
export interface TestCertificate {
  /** The certificate, as PEM. It is its own certificate authority. */
  readonly cert: string;
  /** The private key, as PEM. */
  readonly key: string;
}

/**
 * Makes a certificate that is valid for a day. It needs the package `selfsigned`: install it in projects whose tests
 * use TLS.
 *
 * @param names domain names and IP addresses of the server
 * @example
 * const tls = await testCertificate(['registry.example.com', '127.0.0.1']);
 * const serving = await serve(registry, { port: 0, tls });
 */
export async function testCertificate(names: readonly string[]): Promise<TestCertificate> {
  const [name = 'registry.test'] = names;
  const { generate } = await import('selfsigned').catch((cause: unknown) => {
    throw new Error('making a certificate needs the package selfsigned: npm install --save-dev selfsigned', { cause });
  });
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    // Valid from yesterday on, so that a clock that is a little behind accepts it.
    notBeforeDate: new Date(Date.now() - day),
    notAfterDate: new Date(Date.now() + day),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((one) => (isAddress(one) ? { type: 7, ip: one } : { type: 2, value: one })),
      },
    ],
  });
  return { cert, key };
}

const day = 24 * 60 * 60 * 1000;

function isAddress(name: string): boolean {
  return name.includes(':') || /^[\d.]+$/.test(name);
}
