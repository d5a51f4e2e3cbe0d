// The certificate of the server, which is read again when its files change.
import { readFile } from 'node:fs/promises';

import { watchFile } from 'ocikit/auth';
import type { ServeTls, Serving } from 'ocikit/serve';
import type { Logger } from 'ocikit/server';

import type { AccessFlags } from './access-options.ts';

type CertificateFlags = Pick<AccessFlags, 'tlsCert' | 'tlsClientCa' | 'tlsKey'>;

/** Reads the certificate, its key and the authorities of clients. */
export async function readCertificate({
  tlsCert,
  tlsKey,
  tlsClientCa,
}: CertificateFlags): Promise<ServeTls | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const [cert, key, clientCa] = await Promise.all([
    readFile(tlsCert),
    readFile(tlsKey),
    tlsClientCa === undefined ? undefined : readFile(tlsClientCa),
  ]);
  return { cert, key, clientCa };
}

/** A watch over the files of a certificate. */
export interface CertificateWatch {
  /** Reads them now. */
  reload(): Promise<void>;
  /** Ends the watch. */
  close(): void;
}

/** Uses a changed certificate for new connections. One that cannot be used is logged, and the former stays. */
export async function watchCertificate(
  serving: Serving,
  flags: CertificateFlags,
  logger: Logger,
): Promise<CertificateWatch> {
  const onError = (error: unknown): void => logger.error('the certificate cannot be used: the former stays', { error });
  const reload = async (): Promise<void> => {
    try {
      const tls = await readCertificate(flags);
      if (tls !== undefined) serving.setTls(tls);
    } catch (error) {
      onError(error);
    }
  };
  const paths = [flags.tlsCert, flags.tlsKey, flags.tlsClientCa].filter((path) => path !== undefined);
  const onChange = (): void => void reload();
  const watches = await Promise.all(paths.map((path) => watchFile(path, (text) => text, { onChange, onError })));
  return {
    reload,
    close() {
      for (const watch of watches) watch.close();
    },
  };
}
