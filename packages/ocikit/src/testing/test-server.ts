import type { Exchange, Middleware, Next, ServerOptions } from '../http/server/index.ts';
import { push } from '../image/index.ts';
import type { Ref } from '../image/index.ts';
import type { PushedManifest, Registry } from '../model/index.ts';
import { nodeFetch, serve } from '../node/index.ts';
import type { NodeFetch } from '../node/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';

import { testCertificate } from './certificate.ts';
import { pushContent } from './content.ts';
import type { TestManifest } from './content.ts';

export interface TestServerOptions extends ServerOptions {
  /** What is served. Default: an empty registry in memory. */
  registry?: Registry | undefined;
  /**
   * Domain names of the server, for example `registry.example.com`: it then speaks TLS, and has a certificate for them. The package
   * `selfsigned` has to be installed. Default: no name, and no TLS.
   */
  domains?: readonly string[] | undefined;
  /** What goes wrong from the start; see {@link TestServer.inject}. */
  faults?: readonly Middleware[] | undefined;
}

/** A request that a test server has seen. */
export interface SeenRequest {
  readonly method: string;
  /** As it came, without the query. */
  readonly path: string;
  readonly query: string;
  /** The value of a header, by its name in lower case. */
  header(name: string): string | undefined;
  /** Of the answer; undefined until there is one. */
  readonly status: number | undefined;
}

/** A registry on a port of this machine. */
export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, or `https://DOMAIN` of its first domain, which only {@link TestServer.fetch} finds. */
  readonly url: string;
  /** What follows `//` in the URL: what images are referred to by. */
  readonly host: string;
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** What it serves, for what a test prepares or looks at. */
  readonly registry: Registry;
  /** Sends every request here, whatever its host, and trusts the certificate. */
  readonly fetch: NodeFetch;
  /** The certificate (PEM), if it has one, for programs that are told whom to trust. */
  readonly ca: string | undefined;
  /** In the order in which they came. */
  readonly requests: readonly SeenRequest[];
  /**
   * Stores an image, an index or an artifact with everything that it names, wherever it comes from. What is there already stays.
   *
   * @param tag undefined: it is found by its digest only
   * @param ref content to test with, or what `pull`, `createImage` and the others of `ocikit/image` give
   */
  addRef(repository: string, tag: string | undefined, ref: Ref | TestManifest): Promise<PushedManifest>;
  /**
   * Lets something go wrong from now on: `refuseRequests()`, `cutAnswers()`, or any middleware. The first one is outermost.
   *
   * @returns a function that ends it
   */
  inject(...faults: readonly Middleware[]): () => void;
  /** Ends it, and whatever is under way. */
  close(): Promise<void>;
}

/**
 * A registry for tests, which starts in a few milliseconds, with faults on demand.
 *
 * @example
 * await using server = await createTestServer({ domains: ['registry.example.com'] });
 * const image = imageOf();
 * await server.addRef('library/example', 'v1', image);
 * server.inject(refuseRequests({ times: 1 }), cutAnswers({ resources: ['blob'], times: 1 }));
 * const registry = createClient({ host: server.host, fetch: server.fetch });
 * await registry.getTag('library/example', 'v1');
 */
export async function createTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { registry = createMemoryRegistry(), domains = [], faults: first = [], middleware = [], ...rest } = options;
  const requests: SeenRequest[] = [];
  const faults = [...first];
  const misbehave: Middleware = (exchange, next) =>
    faults.reduceRight<Next>((inner, fault) => (passed) => fault(passed, inner), next)(exchange);
  const certificate = domains.length === 0 ? undefined : await testCertificate(domains);
  const serving = await serve(registry, {
    ...rest,
    allowedHosts: [...domains, ...(rest.allowedHosts ?? [])],
    port: 0,
    tls: certificate,
    middleware: [recording(requests), misbehave, ...middleware],
  });
  const { port } = serving;
  const fetch = nodeFetch({ ca: certificate?.cert, proxy: false, resolve: () => ({ host: '127.0.0.1', port }) });
  const close = async (): Promise<void> => {
    fetch.close();
    await serving.close(0);
  };
  const host = domains[0] ?? `127.0.0.1:${port}`;
  return {
    url: certificate === undefined ? serving.url : `https://${host}`,
    host,
    port,
    registry,
    fetch,
    ca: certificate?.cert,
    requests,
    addRef: async (repository, tag, ref) => {
      const named = { tags: tag === undefined ? [] : [tag] };
      return 'kind' in ref ? push(registry, repository, ref, named) : pushContent(registry, repository, ref, named);
    },
    inject: (...added) => {
      faults.push(...added);
      return () => {
        for (const fault of added) faults.splice(faults.indexOf(fault), faults.includes(fault) ? 1 : 0);
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function recording(requests: SeenRequest[]): Middleware {
  return async (exchange: Exchange, next) => {
    const { method, path, query } = exchange;
    const answer: { status?: number } = {};
    requests.push({
      method,
      path,
      query,
      header: (name) => exchange.header(name),
      get status() {
        return answer.status;
      },
    });
    const reply = await next(exchange);
    answer.status = reply.status;
    return reply;
  };
}
