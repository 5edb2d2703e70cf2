import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { GreetingsController } from './http/greetings.controller.js';
import { InstancesController } from './http/instances.controller.js';
import { ObjectEndpoint } from './http/object-endpoint.js';
import { SolutionContainersController } from './http/solution-containers.controller.js';
import { SolutionsController } from './http/solutions.controller.js';
import { TargetsController } from './http/targets.controller.js';
import { ObjectService } from './object.service.js';

/** Targets, solutions and instances: their rules and their routes. */
@Module({})
export class StateModule {
  /** @param imports modules of the mode, one of which exports the `ObjectStore` */
  static forStore(imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: StateModule,
      imports,
      controllers: [
        TargetsController,
        SolutionsController,
        SolutionContainersController,
        InstancesController,
        GreetingsController,
      ],
      providers: [ObjectService, ObjectEndpoint],
      exports: [ObjectService],
    };
  }
}
