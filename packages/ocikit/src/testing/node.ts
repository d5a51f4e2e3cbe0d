export * from './index.ts';
export { testCertificate } from './certificate.ts';
export type { TestCertificate } from './certificate.ts';
export * from './test-server.ts';
