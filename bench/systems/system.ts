import type { Source } from '../programs.ts';

/** Something that is measured: a registry, with its flags, or the bare server. */
export interface System {
  /** In the table, and in `--peers`. */
  readonly name: string;
  /** `bare` is no registry: it says how fast any server in Node could be. */
  readonly kind: 'ocikit' | 'peer' | 'bare';
  /** Where it keeps what is pushed. */
  readonly medium: 'disk' | 'memory' | 'blobs on disk';
  /** Whether what it acknowledges has been synchronised to the disk. */
  readonly syncs: boolean;
  /** Leave it out where reading alone is measured: it reads like the one of this name. */
  readonly readsLike?: string;
  /** What has to be there; the first is the program itself. */
  readonly program?: { readonly name: string; readonly from?: Source; readonly version: readonly string[] };
  /** What to start, once `directory` is there and empty. */
  command(start: Start): Promise<Command>;
  /** Of a program that copies images into a layout: how it does. What `command` starts is then the server to copy from. */
  copy?(copying: Copying): Command;
}

/** An image, and where it is to go. */
export interface Copying {
  /** Where the program is, if the system names one. */
  readonly program: string;
  /** `ADDRESS:PORT`, reached without TLS. */
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** Of the layout; it is not there yet. */
  readonly directory: string;
}

export interface Start {
  /** Where the program is, if the system names one. */
  readonly program: string;
  /** Only for this start. */
  readonly directory: string;
  readonly port: number;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}
