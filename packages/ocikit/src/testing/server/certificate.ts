/** A certificate, of a server or a client, that nobody but a test trusts. */
export interface TestCertificate {
  /** PEM. It is its own authority: who trusts it trusts whoever has the key. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

/**
 * Makes a certificate, good for a day. It needs the package `selfsigned`, which is only asked for here: install it where tests
 * use TLS.
 *
 * @param names domain names and IP addresses that a server is reached by
 */
export async function testCertificate(names: readonly string[]): Promise<TestCertificate> {
  const [name = 'registry.test'] = names;
  const { generate } = await import('selfsigned').catch((cause: unknown) => {
    throw new Error('a server with TLS needs a certificate: npm install --save-dev selfsigned', { cause });
  });
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    // A clock that is a little behind must not refuse it.
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
