// Programs that copy images, as systems.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { serve, serveSecurely } from './ocikit.ts';
import type { Command, Copying, Download, Start, System } from './system.ts';

const program = fileURLToPath(new URL('../clients/copy-to-layout.js', import.meta.url));
const downloadProgram = fileURLToPath(new URL('../clients/download.js', import.meta.url));

/** Programs that copy an image into a layout. All of them copy from the same server, `ocikit serve` on disk. */
export const copyingSystems: readonly System[] = [
  ocikit('ocikit copies', 'fsync'),
  ocikit('ocikit copies, no sync', 'none'),
  peer(
    'crane pull',
    { name: 'crane', from: { go: 'github.com/google/go-containerregistry/cmd/crane@latest' }, version: ['version'] },
    ({ host, repository, tag, directory }) =>
      ['pull', '--insecure', '--format', 'oci'].concat(`${host}/${repository}:${tag}`, directory),
    ({ host, repository, digest }) => ['blob', '--insecure', `${host}/${repository}@${digest}`],
  ),
  peer(
    'regctl copies',
    { name: 'regctl', from: { go: 'github.com/regclient/regclient/cmd/regctl@latest' }, version: ['version'] },
    ({ host, repository, tag, directory }) =>
      ['--host', `reg=${host},tls=disabled`, 'image', 'copy'].concat(
        `${host}/${repository}:${tag}`,
        `ocidir://${directory}:${tag}`,
      ),
  ),
  peer(
    'skopeo copies',
    { name: 'skopeo', from: { apt: 'skopeo' }, version: ['--version'] },
    ({ host, repository, tag, directory }) =>
      ['--insecure-policy', 'copy', '--quiet', '--preserve-digests', '--src-tls-verify=false'].concat(
        `docker://${host}/${repository}:${tag}`,
        `oci:${directory}:${tag}`,
      ),
  ),
];

/** The images are pushed once for all programs. */
function start({ directory, port, certificate }: Start): Promise<Command> {
  const root = join(dirname(directory), 'copied-from');
  return Promise.resolve(
    certificate === undefined ? serve(root, port, []) : serveSecurely(root, port, certificate, true),
  );
}

function ocikit(name: string, durability: 'fsync' | 'none'): System {
  return {
    name,
    kind: 'ocikit',
    medium: 'disk',
    syncs: durability === 'fsync',
    command: start,
    copy: ({ host, repository, tag, directory }) => ({
      file: process.execPath,
      args: [program, host, repository, tag, directory, durability],
    }),
    // Durability is none of a download's business.
    ...(durability === 'fsync' && { download: ourDownload }),
  };
}

function ourDownload({ host, repository, digest, certificate }: Download): Command {
  const ca = certificate === undefined ? [] : [certificate.cert];
  return { file: process.execPath, args: [downloadProgram, host, repository, digest, ...ca] };
}

function peer(
  name: string,
  from: NonNullable<System['program']>,
  args: (copying: Copying) => string[],
  downloadArgs?: (blob: Download) => string[],
): System {
  return {
    name,
    kind: 'peer',
    medium: 'disk',
    syncs: false,
    program: from,
    command: start,
    copy: (copying) => ({ file: copying.program, args: args(copying) }),
    ...(downloadArgs && { download: (blob) => ({ file: blob.program, args: downloadArgs(blob) }) }),
  };
}
