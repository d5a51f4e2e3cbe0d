// The CNCF's registry as a system.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Source } from '../programs.ts';
import type { Certificate, System } from './system.ts';

/** The CNCF's registry. Its file system driver syncs each file that it writes. */
function distribution(name: string, program: string, from: Source): System {
  return {
    name,
    kind: 'peer',
    medium: 'disk',
    syncs: true,
    tls: true,
    program: { name: program, from, version: ['--version'] },
    async command(start) {
      const file = join(start.directory, 'config.yml');
      await writeFile(file, configuration(join(start.directory, 'root'), start.port, start.certificate));
      return { file: start.program, args: ['serve', file], env: { OTEL_TRACES_EXPORTER: 'none' } };
    },
  };
}

/** Debian's configuration without passwords, and without a log of requests. */
function configuration(root: string, port: number, certificate: Certificate | undefined): string {
  return `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: ${root}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:${port}
  secret: benchmark
${certificate === undefined ? '' : `  tls:\n    certificate: ${certificate.cert}\n    key: ${certificate.key}\n`}`;
}

export const distributionSystems: readonly System[] = [
  distribution('distribution 2.8', 'docker-registry', { apt: 'docker-registry' }),
  distribution('distribution 3', 'registry', {
    go: 'github.com/distribution/distribution/v3/cmd/registry@latest',
    large: true,
  }),
];
