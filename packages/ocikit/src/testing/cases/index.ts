// A case of the suites: the registry under test, names for it to use, expectations, and content to compare with.
export * from './expectations.ts';
export * from './group.ts';
export * from './manifest-kinds.ts';
export * from './methods.ts';
export * from './sources.ts';
export * from './stored-content.ts';
export * from './target.ts';
