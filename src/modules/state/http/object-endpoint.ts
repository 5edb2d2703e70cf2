import { Injectable, Logger } from '@nestjs/common';
import { type DeployableKind, type ObjectKind, toWire } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requireRole } from '../../auth/index.js';
import { type ReadBody, readBody } from '../body.js';
import { ObjectService } from '../object.service.js';
import { sendJson, sendObject, sendPage, sendWritten } from './reply.js';
import { flagOf, keyOf, listQueryOf, projectionOf, type Query, writeOptionsOf } from './request.js';

/** What the routes of all kinds have in common. */
@Injectable()
export class ObjectEndpoint {
  private readonly logger = new Logger('State');

  constructor(private readonly objects: ObjectService) {}

  async list(kind: ObjectKind, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = request.query as Query;
    const page = await this.objects.list(listQueryOf(kind, query));
    return sendPage(request, reply, page, projectionOf(query));
  }

  async get(
    kind: ObjectKind,
    name: string,
    request: FastifyRequest,
    reply: FastifyReply,
    projection = projectionOf(request.query as Query),
  ): Promise<FastifyReply> {
    const object = await this.objects.get(keyOf(kind, name, request.query as Query));
    return sendObject(request, reply, object, projection);
  }

  /** @param name of the URL; undefined where only the body has it */
  async put(
    kind: ObjectKind,
    name: string | undefined,
    body: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    return this.putRead(kind, name, readBody(kind, body), request, reply);
  }

  /** The same with a body that was made, not sent. */
  async putRead<K extends ObjectKind>(
    kind: K,
    name: string | undefined,
    body: ReadBody<K>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const query = request.query as Query;
    const options = writeOptionsOf(request, query);
    const url = { name, namespace: query['namespace'] };
    const { object } = await this.objects.write(kind, url, body, options);
    return sendWritten(request, reply, object, options.dryRun);
  }

  /** `direct=true` of Symphony's own clients needs no mention: it means the same here. */
  async remove(
    kind: ObjectKind,
    name: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const query = request.query as Query;
    const options = writeOptionsOf(request, query);
    const object = await this.objects.remove(keyOf(kind, name, query), options);
    return sendWritten(request, reply, object, options.dryRun);
  }

  async removeDeployable(
    kind: DeployableKind,
    name: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const query = request.query as Query;
    if (!flagOf(query, 'orphan')) return this.remove(kind, name, request, reply);
    requireRole(request, 'administrator', 'orphan=true');
    const { dryRun, actor, precondition } = writeOptionsOf(request, query);
    // Without a look at the ledger a trial could not say what would be left.
    if (dryRun) return this.remove(kind, name, request, reply);
    const { object, left } = await this.objects.orphan(keyOf(kind, name, query), precondition);
    this.logger.warn({ msg: 'An object was orphaned', kind, namespace: object.namespace, name, actor, left });
    return sendJson(reply, { object: toWire(object), left });
  }
}
