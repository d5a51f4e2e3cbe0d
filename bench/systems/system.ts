// The description of a system that is measured.
import type { Source } from '../programs.ts';

/** A system: a registry with its flags, the bare server, or a program that copies. */
export interface System {
  /** The name in the table and in `--peers`. */
  readonly name: string;
  /** The kind of system. `bare` is no registry: it shows the upper limit for a server in Node. */
  readonly kind: 'ocikit' | 'peer' | 'bare';
  /** The place of pushed content. */
  readonly medium: 'disk' | 'memory' | 'blobs on disk';
  /** True if the system syncs content to the disk before it acknowledges it. */
  readonly syncs: boolean;
  /** The name of a system that reads in the same way: rows that only read leave this one out. */
  readonly readsLike?: string;
  /** The program of the system, if it has to be installed separately. */
  readonly program?: { readonly name: string; readonly from?: Source; readonly version: readonly string[] };
  /** True if the system can serve HTTPS. */
  readonly tls?: boolean;
  /** Returns the command that starts the system. `directory` exists and is empty. */
  command(start: Start): Promise<Command>;
  /** Returns the command that copies an image into a layout. `command` then starts the server to copy from. */
  copy?(copying: Copying): Command;
  /** Returns the command that downloads a blob and discards its bytes. Only systems that copy have it. */
  download?(download: Download): Command;
}

/** A blob to download. */
export interface Download {
  /** Path of the program, if the system names one. */
  readonly program: string;
  /** `ADDRESS:PORT` of the server. */
  readonly host: string;
  readonly repository: string;
  readonly digest: string;
  /** The certificate that the server's own is signed with, if it serves HTTPS. */
  readonly certificate: Certificate | undefined;
}

/** An image to copy, and its destination. */
export interface Copying {
  /** Path of the program, if the system names one. */
  readonly program: string;
  /** `ADDRESS:PORT` of the server, without TLS. */
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** The path of the layout, which does not exist yet. */
  readonly directory: string;
}

export interface Start {
  /** Path of the program, if the system names one. */
  readonly program: string;
  /** The directory for this start. */
  readonly directory: string;
  readonly port: number;
  /** Serve HTTPS with this certificate; undefined: HTTP. Only systems with `tls` get it. */
  readonly certificate: Certificate | undefined;
  /** Further flags. Only ocikit gets some. */
  readonly flags: readonly string[];
}

/** A certificate and its key, as files in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}
