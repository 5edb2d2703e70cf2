export { HealthModule } from './health.module.js';
export { processFaults } from './process-faults.js';
export { type Readiness, ReadinessRegistry } from './readiness-registry.js';
