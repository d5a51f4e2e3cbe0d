// A registry server for tests.
import type { Exchange, Middleware, Next, ServerOptions } from '../../http/server/index.ts';
import { push } from '../../image/index.ts';
import type { Ref } from '../../image/index.ts';
import type { PushedManifest, Registry } from '../../model/index.ts';
import { nodeFetch, serve } from '../../node/index.ts';
import type { NodeFetch } from '../../node/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { pushContent } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

import { testCertificate } from './certificate.ts';

/** Options of {@link createTestServer}, and all options of the server. */
export interface TestServerOptions extends ServerOptions {
  /** The registry to serve. Default: an empty registry in memory. */
  registry?: Registry | undefined;
  /**
   * Domain names of the server, for example `registry.example.com`. With a name, the server speaks TLS and has a
   * certificate for all names, which needs the package `selfsigned`. Default: no name, and no TLS.
   */
  domains?: readonly string[] | undefined;
  /** Faults from the start; see {@link TestServer.inject}. Default: none. */
  faults?: readonly Middleware[] | undefined;
}

/** A request that a test server has seen. */
export interface SeenRequest {
  /** Such as `GET`. */
  readonly method: string;
  /** The path as it came, without the query. */
  readonly path: string;
  /** The query as it came, without the question mark; empty if there is none. */
  readonly query: string;
  /** The value of a header, by its name in lower case. */
  header(name: string): string | undefined;
  /** The status of the answer; undefined until there is one. */
  readonly status: number | undefined;
}

/** A registry server on a port of this machine. */
export interface TestServer extends AsyncDisposable {
  /**
   * `http://127.0.0.1:PORT`; with domains, `https://` and the first one, which only {@link TestServer.fetch} reaches.
   */
  readonly url: string;
  /** The host and port of the URL, as in the name of an image. */
  readonly host: string;
  /** The port on 127.0.0.1. */
  readonly port: number;
  /** The registry that it serves, to prepare content and to look at the outcome. */
  readonly registry: Registry;
  /** A `fetch` that sends requests for every host to this server, and trusts its certificate. */
  readonly fetch: NodeFetch;
  /** The certificate (PEM), for programs that have to trust it; undefined without TLS. */
  readonly ca: string | undefined;
  /** All requests, in the order in which they came. */
  readonly requests: readonly SeenRequest[];
  /**
   * Stores an image, an index or an artifact with everything that it names. Existing content stays.
   *
   * @param tag undefined for a manifest that is found by its digest only
   * @param ref content of this module, or a result of `pull`, `createImage` and the like of `ocikit/image`
   */
  addRef(repository: string, tag: string | undefined, ref: Ref | TestManifest): Promise<PushedManifest>;
  /**
   * Adds faults from now on: `refuseRequests()`, `cutAnswers()`, or any middleware. The first fault is outermost.
   *
   * @returns a function that removes them
   */
  inject(...faults: readonly Middleware[]): () => void;
  /** Stops the server, and ends all running requests. */
  close(): Promise<void>;
}

/**
 * Starts a registry server for tests, with faults on demand. It starts in a few milliseconds.
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
