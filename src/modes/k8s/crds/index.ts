export { customResourceDefinition, type CustomResource } from './custom-resource.js';
export { crdFiles } from './manifest.js';
export * from './records.js';
export * from './requests.js';
export { ResourceStatus } from './resource-status.js';
export * from './resources.js';
