"""A RAG service on LangGraph: a graph of retrieval, model and tool, whose conversations lie in Postgres; inside a
sandbox, and by the tests as production's own, where it records itself."""

import json
import os
import sys
from typing import Annotated

import psycopg
import requests
from assistant import serve
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, tools_condition

DSN = os.environ["DATABASE_URL"]
PROMPT = os.environ.get("PROMPT", "You help customers. Cite tickets.")
CUT = int(os.environ.get("CUT", "10000"))


class State(MessagesState):
    """A conversation, and what this turn of it found."""

    question: str
    email: str
    tickets: list[int]


@tool(description=os.environ.get("TOOL", "Orders of a customer"))
def orders(email: Annotated[str, InjectedState("email")]) -> str:
    """A customer's orders."""
    return requests.get(os.environ["TOOL_URL"], params={"email": email}, timeout=20).text


MODEL = ChatOpenAI(
    model=os.environ.get("MODEL", "chat-1"), temperature=float(os.environ.get("TEMPERATURE", "0.2")), max_retries=0
).bind_tools([orders])
EMBEDDER = OpenAIEmbeddings(model="embed-1", check_embedding_ctx_length=False, max_retries=0)


def retrieve(state: State) -> dict:
    """Who asks, and the tickets nearest to the question, as a message."""
    vector = EMBEDDER.embed_query(state["question"])
    with psycopg.connect(DSN) as conn:
        conn.execute("SET enable_seqscan = off")
        (name,) = conn.execute("SELECT name FROM customers WHERE email = %s", [state["email"]]).fetchone()
        rows = conn.execute(
            "SELECT id, body FROM tickets ORDER BY embedding <-> %s::vector LIMIT %s",
            [json.dumps(vector), int(os.environ.get("CHUNKS", "3"))],
        ).fetchall()
    found = "\n".join(f"[{id}] {body[:CUT]}" for id, body in rows)
    said = f"{name} <{state['email']}> asks: {state['question']}\n\nTickets:\n{found}"
    return {"messages": [HumanMessage(said)], "tickets": [id for id, _ in rows]}


def answer(state: State) -> dict:
    """What the model says to the whole conversation."""
    return {"messages": [MODEL.invoke([SystemMessage(PROMPT), *state["messages"]])]}


def ask(question: str, email: str, thread: str) -> dict:
    """One turn of a conversation."""
    graph = StateGraph(State)
    graph.add_node("retrieve", retrieve)
    graph.add_node("answer", answer)
    graph.add_node("tools", ToolNode([orders]))
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "answer")
    graph.add_conditional_edges("answer", tools_condition)
    graph.add_edge("tools", "answer")
    with PostgresSaver.from_conn_string(DSN) as saver:
        made = graph.compile(checkpointer=saver)
        place = {"configurable": {"thread_id": thread}}
        words = [
            part.content
            for part, about in made.stream({"question": question, "email": email}, place, stream_mode="messages")
            if about["langgraph_node"] == "answer" and part.content
        ]
        state = made.get_state(place).values
    return {"answer": "".join(words), "tickets": state["tickets"], "messages": len(state["messages"])}


if __name__ == "__main__":
    if "SETUP" in os.environ:
        with PostgresSaver.from_conn_string(DSN) as saver:
            saver.setup()
    sys.stderr.write("serving\n")
    serve(ask)
