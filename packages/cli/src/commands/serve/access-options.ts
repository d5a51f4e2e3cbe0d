// The options of `ocikit serve` that protect it.
import { InvalidArgumentError, Option } from 'commander';

/** The options that protect the server. */
export interface AccessFlags {
  /** The file of users. */
  htpasswd?: string;
  /** The file of tokens for machines. */
  robots?: string;
  /** The file of rules. */
  access?: string;
  /** The right of callers without credentials. */
  anonymous?: 'none' | 'pull';
  /** The file of the keys that sign tokens. */
  tokenKeys?: string;
  /** The URLs under which clients reach the server. */
  publicUrl?: string[];
  /** The certificate of the server. */
  tlsCert?: string;
  /** Its private key. */
  tlsKey?: string;
  /** The authorities that vouch for certificates of clients. */
  tlsClientCa?: string;
}

/** The options for commander. */
export function accessOptions(): Option[] {
  return [
    new Option('--htpasswd <file>', 'let the users of this file log in, made with ocikit htpasswd or htpasswd -B'),
    new Option('--robots <file>', 'let tokens of this file log in, made with ocikit token create'),
    new Option(
      '--access <file>',
      'the rules of access, as JSON (default: every user may do everything); see the guide on access',
    ),
    new Option('--anonymous <right>', 'let everybody pull without a login, beside the rules').choices(['none', 'pull']),
    new Option('--token-keys <file>', 'keep the keys that sign tokens here (default: in the directory of --root)'),
    new Option(
      '--public-url <url>',
      'the URL under which clients reach the server, for example behind a proxy; can be repeated',
    ).argParser(publicUrl),
    new Option('--tls-cert <file>', 'serve HTTPS with this certificate (PEM), followed by intermediate ones'),
    new Option('--tls-key <file>', 'the private key of the certificate (PEM)'),
    new Option(
      '--tls-client-ca <file>',
      'let clients log in with certificates of these authorities (PEM); the user is the common name (CN)',
    ),
  ];
}

/** True if one of the options asks who a caller is. */
export function isProtected({ htpasswd, robots, access, anonymous, tlsClientCa }: AccessFlags): boolean {
  return [htpasswd, robots, access, anonymous, tlsClientCa].some((value) => value !== undefined);
}

/** The fault in the use of these options; undefined: there is none. */
export function faultyAccess(flags: AccessFlags): string | undefined {
  const { tlsCert, tlsKey, tlsClientCa, tokenKeys } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) return '--tls-cert and --tls-key belong together';
  if (tlsClientCa !== undefined && tlsCert === undefined) return '--tls-client-ca has no effect without --tls-cert';
  if (tokenKeys !== undefined && !isProtected(flags)) return '--token-keys has no effect without --htpasswd';
  return undefined;
}

function publicUrl(text: string, before: string[] | undefined): string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw new InvalidArgumentError('A public URL has no path: https://registry.example.com');
  }
  return [...(before ?? []), url.origin];
}
